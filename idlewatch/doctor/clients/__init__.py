"""The clients of the doctor: how it reaches a site, as a browser would."""
