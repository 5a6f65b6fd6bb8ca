-- title: Custom object that cannot be created offline
-- severity: note
-- cause: sync-configuration
-- basis: Salesforce era
-- why: Custom objects that reps create offline needed a field Mobile_ID_vod with Edit; Veeva's Vault
--   objects carry mobile_id__v, but the rule for custom ones is not documented.
-- fix: If reps create these records offline, ask Veeva which field is needed, add it, and grant Edit on
--   it.
-- source: https://crmhelp.veeva.com/doc_jp/Content/CRM_topics/General/SettingUp/Administrative_Do's_and_Don'ts.htm
-- proof: With the Salesforce-era demand switched on, a record of the object that a device makes is
--   refused. The demand is off unless a test asks for it, because of Vault it is not documented.
-- needs: vmoc object_field
SELECT object || ' syncs and has no field like mobile_id__v.' AS what, 'object ' || object AS place, object,
    'mobile_id__v' AS field
FROM now_field
WHERE object LIKE '%\_\_c' ESCAPE '\' AND object IN (SELECT object FROM now_vmoc WHERE on_duty)
GROUP BY object
HAVING NOT bool_or(lower(name) LIKE 'mobile\_id\_%' ESCAPE '\')
