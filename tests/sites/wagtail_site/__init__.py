"""What a Wagtail site adds to the templates of its admin."""
