-- title: Errors with a known cause
-- unit: share of error events, 0 to 1
-- good: higher is better
-- Share of error events whose cause is not "unknown", per phase, with the 95 % Wilson interval and the mean
-- confidence of the causes given. Knowing that one does not know is better than a wrong word, so read it beside
-- the report card. Errors that nobody has classified yet count as unknown.
WITH counted AS (
    SELECT
        coalesce(phase, 'unknown') AS phase,
        count(*) AS n,
        count(*) FILTER (WHERE cause <> 'unknown') AS known,
        avg(CASE WHEN cause <> 'unknown' THEN confidence END) AS mean_confidence
    FROM error
    GROUP BY coalesce(phase, 'unknown')
),
shares AS (
    SELECT *, known * 1e0 / n AS share FROM counted
)
SELECT
    phase, n AS events, known, share,
    (share + 1.92073e0 / n - 1.959964e0 * sqrt(share * (1 - share) / n + 0.960365e0 / (n * n))) / (1 + 3.841459e0 / n) AS low,
    (share + 1.92073e0 / n + 1.959964e0 * sqrt(share * (1 - share) / n + 0.960365e0 / (n * n))) / (1 + 3.841459e0 / n) AS high,
    mean_confidence
FROM shares
ORDER BY n DESC, phase
