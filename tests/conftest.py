"""What holds for every test."""

import os

from hypothesis import settings

# The machines are noisy, so no property is judged by the clock; what a text costs is judged in CPU
# time where that is the law. The gate tries the same examples each time, everybody else new ones;
# `make soak` asks for the long profile.
settings.register_profile("house", deadline=None, max_examples=50)
settings.register_profile("gate", settings.get_profile("house"), derandomize=True)
settings.load_profile("gate" if os.environ.get("CI") else "house")
settings.register_profile("long", max_examples=500)
