"""The human-preference study (FashionNTM, Fig. 7): which model's first image do people take?

`tops` draws the questions of a `design`, `app` asks them in a browser, `store` keeps the answers in a `database`,
`report` counts them, `claims` says what follows, `tables` and `page` show it.
"""
