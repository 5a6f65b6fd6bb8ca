-- How a rejected row was resolved: `key` is the id of the row, if it has one; `settled` is the text of the
-- resolution: corrected by a later load, or dismissed. NULL: the row is still rejected.
ALTER TABLE rejected_row ADD COLUMN key VARCHAR;
ALTER TABLE rejected_row ADD COLUMN settled VARCHAR;
