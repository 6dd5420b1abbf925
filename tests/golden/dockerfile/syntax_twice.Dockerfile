# Syntax = a b
# SYNTAX=b
FROM x
