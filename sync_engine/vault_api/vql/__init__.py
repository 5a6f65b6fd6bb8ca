"""VQL, Vault's query language: lexer, parser and evaluation."""
