"""What runs, shows, tracks and guards stages, and decides no output; importing any of it sets the environment."""

from tasks.support import environment as environment
