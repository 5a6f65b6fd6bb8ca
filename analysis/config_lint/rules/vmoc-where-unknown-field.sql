-- title: Unknown field in a WHERE clause
-- severity: error
-- cause: sync-configuration
-- basis: inference
-- why: The download query cannot run with a filter on a field that is missing or inactive.
-- fix: Business Admin > VMobile Object Configurations: filter by an existing field, or restore the field; then
--   clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/VMOCs.htm
-- proof: The device receives no accounts, and each sync reports the VMOC.
-- needs: vmoc object_field
WITH filter_field AS (
    SELECT vmoc_id, label, object, unnest(list_distinct(regexp_extract_all(
        regexp_replace(regexp_replace(filter, '''[^'']*''', '', 'g'), '\w+\.\w+', '', 'g'),
        '\b[a-z]\w*__(?:v|c|sys)\b'))) AS field
    FROM current_vmoc WHERE is_active AND filter IS NOT NULL AND object IN (SELECT object FROM current_field)
)
SELECT 'The VMOC ' || n.label || ' filters by ' || n.field || ', which ' || n.object
        || CASE WHEN f.name IS NULL THEN ' does not have.' ELSE ' has inactive.' END AS what,
    'VMOC ' || vmoc_id AS place, n.object, n.field
FROM filter_field AS n LEFT JOIN current_field AS f ON f.object = n.object AND f.name = n.field
-- every object has the fields that Vault itself writes, and few exports list them
WHERE f.name IS NULL AND n.field NOT IN ('mobile_id__v', 'created_by__v', 'modified_by__v', 'created_date__v', 'modified_date__v')
    OR f.active = false
