"""The boards as a static site: plain files that need no server, no network and, to be read, no script.

``build``     everything below one folder, whole or not at all
``views``, ``details``, ``cards``    what templates show: cells and rows, all plain text
``data``      the same for programs: JSON, CSV, and scripts that hold nothing but data
``charts``, ``tint``, ``badge``    drawings, in colours that a dark page can change
``writer``    templates and files
``names``     where each page lies, whatever a board or a submission is called
``templates/``    Jinja (everything is escaped but our own drawings), one style sheet, small scripts
"""

from mtbench.leaderboard.site.build import build_site

__all__ = ["build_site"]
