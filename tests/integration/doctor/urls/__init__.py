"""URLs of sites that are broken."""
