from plumbline.late_rich import import_structlog

import_structlog()
