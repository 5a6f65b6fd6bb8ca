-- What became of a refused row: `key` is the id it gave, if it gave one; `settled` says in words that a later
-- load brought a row with that id, or that somebody dismissed it. NULL: it is refused at present.
ALTER TABLE rejected_row ADD COLUMN key VARCHAR;
ALTER TABLE rejected_row ADD COLUMN settled VARCHAR;
