"""What the pages of `mtbench chat` and `mtbench study` have in common: guard, pictures, server, the frame of a page."""
