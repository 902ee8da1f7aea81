// A bot made with the official SDK, served as its own process:
//
//	node bot.mjs
//
// It prints its port, and what it is told.
import sdk from '@botpress/sdk'

const { Bot } = sdk

const bot = new Bot({
  actions: {},
  register: async ({ ctx }) => {
    console.log(`told ${JSON.stringify(ctx)}`)
  },
})

const server = await bot.start(0)
console.log(`port ${server.address().port}`)
