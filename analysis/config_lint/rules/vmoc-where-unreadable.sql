-- title: WHERE clause that cannot be read
-- severity: error
-- cause: sync-configuration
-- basis: inference
-- why: The WHERE clause filters the query that a device downloads with; one with unbalanced brackets,
--   quotes or a dangling AND cannot run.
-- fix: Business Admin > VMobile Object Configurations: correct the WHERE clause or take back its last
--   version, then clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/VMOCs.htm
-- proof: No account comes to the device, and each sync reports the VMOC.
-- needs: vmoc
WITH readable AS (
    -- tokens stand for text, CONTAINS is VQL's word for IN; the rest reads like SQL
    SELECT *, regexp_replace(regexp_replace(regexp_replace(filter,
        '''?@@\w+@@''?', '''x''', 'g'), '\bCONTAINS\s*\(', 'IN (', 'gi'), '^\s*WHERE\b', '', 'i') AS text
    FROM now_vmoc WHERE on_duty AND filter IS NOT NULL
)
SELECT 'The WHERE clause of the VMOC ' || label || ' cannot be read: ' || left(filter, 200) AS what,
    'VMOC ' || vmoc_id AS place, object, NULL::VARCHAR AS field
FROM readable
WHERE json_extract(json_serialize_sql('SELECT 1 FROM t WHERE ' || text), '$.error')::BOOLEAN
