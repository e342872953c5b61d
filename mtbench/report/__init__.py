"""One self-contained HTML page from results: what was measured, how sure it is, and what may be claimed.

``gather``    results of one revision and split, checked, and the benchmark they lie in
``blocks``    what a page consists of: text, tables, plots, examples
``headline``, ``studies``, ``curves``, ``changes``, ``made``, ``examples``    make them, a section each
``plots``, ``svg``    draw, by the look of `mtbench.evaluation.pictures`
``page``      the template: everything that came out of a file is text there, never markup
"""
