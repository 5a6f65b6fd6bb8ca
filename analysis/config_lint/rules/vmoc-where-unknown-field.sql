-- title: WHERE clause with a field that the object does not have
-- severity: error
-- cause: sync-configuration
-- basis: inference
-- why: A filter on a field that is missing or inactive cannot run in the download query.
-- fix: Business Admin > VMobile Object Configurations: name an existing field, or bring the field back;
--   then clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/VMOCs.htm
-- proof: No account comes to the device, and each sync reports the VMOC.
-- needs: vmoc object_field
WITH named AS (
    SELECT vmoc_id, label, object, unnest(list_distinct(regexp_extract_all(
        regexp_replace(regexp_replace(filter, '''[^'']*''', '', 'g'), '\w+\.\w+', '', 'g'),
        '\b[a-z]\w*__(?:v|c|sys)\b'))) AS field
    FROM now_vmoc WHERE on_duty AND filter IS NOT NULL AND object IN (SELECT object FROM now_field)
)
SELECT 'The VMOC ' || n.label || ' filters by ' || n.field || ', which ' || n.object
        || CASE WHEN f.name IS NULL THEN ' does not have.' ELSE ' has inactive.' END AS what,
    'VMOC ' || vmoc_id AS place, n.object, n.field
FROM named AS n LEFT JOIN now_field AS f ON f.object = n.object AND f.name = n.field
-- what Vault writes itself is on every object, and few exports list it
WHERE f.name IS NULL AND n.field NOT IN ('mobile_id__v', 'created_by__v', 'modified_by__v', 'created_date__v', 'modified_date__v')
    OR f.active = false
