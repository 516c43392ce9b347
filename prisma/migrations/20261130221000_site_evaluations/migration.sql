-- What sites counted on records that they do not train on, of the state that came out of a round: noised counts.
ALTER TABLE "Round" ADD COLUMN "siteEvaluation" JSONB;
