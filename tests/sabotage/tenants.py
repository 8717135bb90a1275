"""What tenants are promised, broken on purpose."""

from tests.sabotage import Sabotage

TENANTS, TESTS = "library/plumbline/db/tenants.py", "library/plumbline_tests/db/test_tenants.py::"
NOBODYS = TESTS + "test_transaction_that_is_nobodys_is_a_defect"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "show nothing where no tenant is set",
        TENANTS,
        "    IF tenant IS NULL OR tenant = '' THEN\n",
        "    IF tenant = '' THEN RETURN NULL; END IF; IF false THEN\n",
        NOBODYS,
    ),
    Sabotage(
        "take rows of others from a tenant",
        TENANTS,
        " WITH CHECK ({mine})",
        " WITH CHECK (true)",
        TESTS + "test_row_cannot_be_given_to_another_tenant",
    ),
    Sabotage(
        "believe policies that a superuser passes by",
        TENANTS,
        "    if sees_all:\n",
        "    if False:\n",
        TESTS + "test_role_that_sees_everything_stops_the_start",
    ),
    Sabotage(
        "let the owner of a table pass by its policy",
        TENANTS,
        "relrowsecurity AND relforcerowsecurity",
        "relrowsecurity",
        TESTS + "test_table_that_keeps_nobody_apart_stops_the_start",
    ),
    Sabotage(
        "begin as a tenant where no transaction begins",
        "library/plumbline/db/owned_session.py",
        "        raise TypeError(_NO_TRANSACTION)\n",
        "        pass\n",
        TESTS + "test_session_that_cannot_be_a_tenants_is_refused",
    ),
    Sabotage(
        "keep the rights of who logs in",
        "library/plumbline/db/engine.py",
        '        on_the_server["role"] = role\n',
        "        pass\n",
        TESTS + "test_statement_without_a_where_finds_the_tenants_rows_alone",
    ),
)
