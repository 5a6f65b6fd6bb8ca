"""Judge a message by its similarity to labeled sentences, beside the rules."""
