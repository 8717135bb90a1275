"""The doctor on public repositories, whose findings were read by hand."""
