-- How the factors of a state were made: the device, how long it took, and layers that it could not do.
ALTER TABLE "Adapter" ADD COLUMN "factors" JSONB;
