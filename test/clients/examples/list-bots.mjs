import { Client } from '@botpress/client'

const client = new Client({
  apiUrl: process.env.BOTYARD_URL,
  token: process.env.BOTYARD_TOKEN,
  workspaceId: process.env.BOTYARD_WORKSPACE_ID,
})
for await (const bot of client.list.bots({})) {
  console.log(bot.id, bot.name)
}
