-- title: Invalid WHERE clause
-- severity: error
-- cause: sync-configuration
-- basis: inference
-- why: The WHERE clause filters the download query of a device. A clause with unbalanced brackets or quotes, or a
--   dangling AND, cannot run.
-- fix: Business Admin > VMobile Object Configurations: correct the WHERE clause or revert it to its last version,
--   then clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/VMOCs.htm
-- proof: The device receives no accounts, and each sync reports the VMOC.
-- needs: vmoc
WITH sql_clause AS (
    -- tokens are text and CONTAINS is IN in VQL; the rest is the same as in SQL
    SELECT *, regexp_replace(regexp_replace(regexp_replace(filter,
        '''?@@\w+@@''?', '''x''', 'g'), '\bCONTAINS\s*\(', 'IN (', 'gi'), '^\s*WHERE\b', '', 'i') AS text
    FROM current_vmoc WHERE is_active AND filter IS NOT NULL
)
SELECT 'The WHERE clause of the VMOC ' || label || ' is invalid: ' || left(filter, 200) AS what,
    'VMOC ' || vmoc_id AS place, object, NULL::VARCHAR AS field
FROM sql_clause
WHERE json_extract(json_serialize_sql('SELECT 1 FROM t WHERE ' || text), '$.error')::BOOLEAN
