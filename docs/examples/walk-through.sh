npx millrace stack up                              # Kafka, Postgres and a registry, kept in .millrace/stack
npx millrace migrate                               # tables, topics, schemas; safe to repeat
node_modules/.bin/millrace run 2> run.log &        # the service; start as many instances as you like
npx millrace load --from docs/examples/intents.jsonl
npx millrace outcomes --from-beginning --until-idle 3 | tee outcomes.jsonl
npx millrace ledger balance liability:customer:cust_12:available
npx millrace case "$(grep -m1 transfer.completed outcomes.jsonl | grep -o 'trf_[0-9A-Z]*')"
npx millrace ledger trial-balance
npx millrace verify
kill %1; wait; npx millrace stack down             # the data stays; the next `stack up` finds it
