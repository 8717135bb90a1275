"""What the database says of itself: what the role of this service may do."""

from app.core.config import settings
from app.db.schema import APPEND_ONLY
from app.db.session import side_engine
from plumbline.db.privileges import Privileges

privileges = Privileges(side_engine, settings, APPEND_ONLY)
