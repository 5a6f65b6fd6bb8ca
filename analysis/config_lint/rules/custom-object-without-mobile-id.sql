-- title: Custom object without mobile_id__v
-- severity: note
-- cause: sync-configuration
-- basis: Salesforce era
-- why: Custom objects whose records reps create offline needed a field Mobile_ID_vod with Edit. Veeva's Vault
--   objects have mobile_id__v; the requirement for custom objects is not documented.
-- fix: If reps create these records offline, ask Veeva which field is required, add it, and grant Edit on it.
-- source: https://crmhelp.veeva.com/doc_jp/Content/CRM_topics/General/SettingUp/Administrative_Do's_and_Don'ts.htm
-- proof: With the Salesforce-era requirement switched on, a record of the object that was created on a device is
--   rejected. The requirement is off by default, because it is not documented for Vault.
-- needs: vmoc object_field
SELECT object || ' syncs and has no field like mobile_id__v.' AS what, 'object ' || object AS place, object,
    'mobile_id__v' AS field
FROM current_field
WHERE object LIKE '%\_\_c' ESCAPE '\' AND object IN (SELECT object FROM current_vmoc WHERE is_active)
GROUP BY object
HAVING NOT bool_or(lower(name) LIKE 'mobile\_id\_%' ESCAPE '\')
