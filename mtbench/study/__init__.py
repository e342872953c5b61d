"""The human-preference study (FashionNTM, Fig. 7): which model's first image do people take?

`design` draws the questions, `store` keeps the answers, `app` asks them in a browser, `report` counts them.
"""
