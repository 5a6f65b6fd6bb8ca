-- title: Unlimited sent emails
-- severity: note
-- cause: sync-configuration
-- basis: Vault CRM
-- why: The VMOC of sent_email__v is limited to 90 days by default; a longer period makes syncs longer.
-- fix: Business Admin > VMobile Object Configurations: set a period in the VMOC of sent_email__v, then clear the
--   cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Multichannel/ApprovedEmail/SendAE/ApprovedEmailTab.htm
-- proof: The device receives emails from half a year ago.
-- needs: vmoc
SELECT 'The VMOC ' || label || ' for sent_email__v has no WHERE clause, so every sent email syncs.' AS what,
    'VMOC ' || vmoc_id AS place, object, NULL::VARCHAR AS field
FROM current_vmoc
WHERE is_active AND object = 'sent_email__v' AND filter IS NULL
