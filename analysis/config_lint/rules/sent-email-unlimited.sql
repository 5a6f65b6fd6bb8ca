-- title: All sent e-mails sync
-- severity: note
-- cause: sync-configuration
-- basis: Vault CRM
-- why: The VMOC of sent_email__v takes 90 days by default; a wider window makes syncs longer.
-- fix: Business Admin > VMobile Object Configurations: put a window back on the VMOC of sent_email__v,
--   then clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Multichannel/ApprovedEmail/SendAE/ApprovedEmailTab.htm
-- proof: E-mails of half a year ago come to the device.
-- needs: vmoc
SELECT 'The VMOC ' || label || ' for sent_email__v has no WHERE clause, so every sent e-mail syncs.' AS what,
    'VMOC ' || vmoc_id AS place, object, NULL::VARCHAR AS field
FROM now_vmoc
WHERE on_duty AND object = 'sent_email__v' AND filter IS NULL
