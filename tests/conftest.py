"""What holds for every test."""

import os

from hypothesis import settings

# The machines are noisy, so no property is judged by the clock; what a text costs is judged in CPU
# time where that is the law. The gate tries the same examples each time, everybody else new ones.
settings.register_profile("house", deadline=None)
settings.register_profile("gate", deadline=None, derandomize=True)
settings.load_profile("gate" if os.environ.get("CI") else "house")
