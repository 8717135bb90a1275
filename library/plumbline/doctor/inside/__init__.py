"""What runs in the project's own interpreter: it imports the application and describes it as JSON.

Nothing but the standard library is needed, from Python 3.8 on, and whatever FastAPI and SQLAlchemy
are there. The doctor puts this folder's parent on sys.path for as long as it takes to import it, so
that its name is `inside`. It judges nothing: the rules are in plumbline.doctor.run.
"""
