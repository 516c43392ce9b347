# Two images: `coordinator`, which runs every command, and `site`, which runs those of a site.
#
#   docker build --target coordinator -t fedsvd-coordinator .
#   docker build --target site -t fedsvd-site .
#
# A release is built on a base that is pinned by its digest: `node scripts/check-image.mjs --pin` writes it here, and without
# `--pin` the script fails while it is missing. See docs/how-to/build-the-images.md.
ARG NODE_IMAGE=node:24-bookworm-slim

# What every stage installs from: manifests alone, so that a change of the source leaves the installed packages as they are.
FROM ${NODE_IMAGE} AS manifests
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages/core/package.json packages/core/
COPY packages/engine/package.json packages/engine/
COPY packages/starter/package.json packages/starter/
COPY apps/server/package.json apps/server/
COPY apps/client/package.json apps/client/
COPY apps/cli/package.json apps/cli/
COPY apps/dashboard/package.json apps/dashboard/
COPY scripts/no-cuda scripts/no-cuda

# Builds the packages as others install them: JavaScript, the database client in it, and the page. It has the tools for
# that; nothing of them is copied on.
FROM manifests AS build
COPY scripts/generate-prisma-client.mjs scripts/build-programs.mjs scripts/prune-packages.mjs scripts/
COPY apps/cli/bin apps/cli/bin
COPY prisma prisma
RUN npm ci
COPY tsconfig.base.json LICENSE NOTICE README.md ./
COPY scripts/packages scripts/packages
COPY packages packages
COPY apps apps
RUN npm run build --workspace apps/dashboard && npx tsx scripts/packages/build.ts

# The programs of both images, each where its workspace has it.
FROM scratch AS common
COPY --from=build /app/build/packages/core /app/packages/core
COPY --from=build /app/build/packages/engine /app/packages/engine
COPY --from=build /app/build/packages/starter /app/packages/starter
COPY --from=build /app/build/packages/client /app/apps/client
COPY --from=build /app/build/packages/cli /app/apps/cli
COPY apps/cli/bin/health.mjs /app/apps/cli/bin/

# What they need at run time: production dependencies alone, and of these what each image loads.
FROM manifests AS production
COPY scripts/prune-packages.mjs scripts/
RUN npm ci --omit=dev --ignore-scripts

FROM production AS coordinator-packages
RUN node scripts/prune-packages.mjs coordinator && rm -r scripts

FROM production AS site-packages
RUN node scripts/prune-packages.mjs site && rm -r scripts

FROM ${NODE_IMAGE} AS program
ENV NODE_ENV=production
# The user of the image may write to its state folder and its home, and to nothing of the program.
RUN install -d -o node -g node -m 700 /var/lib/fedsvd
USER node
WORKDIR /var/lib/fedsvd
VOLUME /var/lib/fedsvd
ENV FEDSVD_STATE_DIR=/var/lib/fedsvd
# Asks the coordinator where one serves on the usual port; a site has no port, and is well while it runs.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 CMD ["node", "/app/apps/cli/bin/health.mjs"]
ENTRYPOINT ["node", "/app/apps/cli/bin/fedsvd.mjs"]
CMD ["--help"]

FROM program AS site
COPY --from=site-packages /app /app
COPY --from=common /app /app

FROM program AS coordinator
COPY --from=coordinator-packages /app /app
COPY --from=common /app /app
COPY --from=build /app/build/packages/server /app/apps/server
