-- title: VMOC fields not readable
-- severity: error
-- cause: field-permission
-- basis: Vault CRM
-- why: All users need Read on all fields of vmobile_object_configuration__v. Veeva names modified_date__v and
--   application_profile__v; without them incremental sync does not work correctly.
-- fix: Admin > Users & Groups > Permission Sets > the set > Objects > VMobile Object Configuration: grant Read on
--   every field.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/VMOCs.htm
-- proof: An account that changed in Vault is not updated on the device, and each sync reports it.
-- needs: permission_grant
SELECT field || ' of vmobile_object_configuration__v is not readable.' AS what, place, object, field
FROM effective_grant
WHERE object = 'vmobile_object_configuration__v' AND field <> '*' AND can_read = false
