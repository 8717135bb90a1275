"""What an application is once it is imported, in a process and an interpreter of its own."""
