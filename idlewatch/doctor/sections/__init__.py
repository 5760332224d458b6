"""The sections: what the doctor tries, by the parts of a site."""
