"""How long a test waits for what must happen.

Long enough to tell a hang from a slow machine: loading torch takes minutes from a slow disk.
"""

PATIENCE = 600  # seconds
