"""`mtbench chat`: a web page on which a person talks to a retrieval system."""
