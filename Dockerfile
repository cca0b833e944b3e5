# millrace as an image: what it needs to run and nothing of what builds, tests or starts a local stack.
#
#   docker build -t millrace .
#   docker run --rm millrace --help
#
# Runs as a user without rights, with a read-only file system if you like (nothing is written but to /tmp, and that only by
# Node itself). SIGTERM drains and ends with 0: give it 30 s. Health: /livez on MILLRACE_HTTP_PORT, asked by Node, since
# the image has no curl.

FROM node:22.20.0-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# Not `npm ci`: see scripts/ready.mjs. Install scripts are left out; none of ours needs one.
RUN npm install --no-save --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY src ./src
RUN node node_modules/typescript/bin/tsc -p tsconfig.json
COPY schemas ./schemas
RUN node dist/declared/keep-main.js schemas

FROM node:22.20.0-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Optional packages are the binaries of the local stack's Postgres: 60 MB that a service never starts.
RUN npm install --no-save --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:22.20.0-slim
WORKDIR /app
ENV NODE_ENV=production
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY schemas ./schemas
COPY package.json LICENSE ./
RUN ln -s /app/dist/main.js /usr/local/bin/millrace && chmod 0755 dist/main.js
USER node
# Metrics and health: reachable from outside the container, on a port that is known.
ENV MILLRACE_HTTP_HOST=0.0.0.0 MILLRACE_HTTP_PORT=9400
EXPOSE 9400
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.MILLRACE_HTTP_PORT + '/livez').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["run"]
