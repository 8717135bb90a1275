from plumbline.late_rich import import_structlog, show_no_variables

import_structlog()
show_no_variables()
