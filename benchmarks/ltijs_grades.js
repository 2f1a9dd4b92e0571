// Sends grades with ltijs and its PostgreSQL plugin, told by lines on its standard input:
//
//     NODE_PATH=…/node_modules node ltijs_grades.js '{"port": …, "socket": "/folder/of/postgres", "urls": […]}'
//     {"at_once": 250, "grades": [[platform, line item, user, score, maximum], …]}
//
// It answers each line with one of its own when all of them were taken.
const readline = require('readline')
const { Provider: lti } = require('ltijs')
const Database = require('ltijs-sequelize')

const wish = JSON.parse(process.argv[2])
const storage = new Database('ltijs_grades', 'postgres', '', { host: wish.socket, dialect: 'postgres', logging: false })

lti.setup('a-key-of-this-measurement-alone', { plugin: storage }, { appRoute: '/launch', loginRoute: '/login', keysetRoute: '/keys' })

async function send ([platform, lineItem, user, scoreGiven, scoreMaximum]) {
  const token = { iss: wish.urls[platform], clientId: `client-${platform}`, user }
  const score = { userId: user, scoreGiven, scoreMaximum, activityProgress: 'Completed', gradingProgress: 'FullyGraded' }
  await lti.Grade.submitScore(token, lineItem, score)
}

async function sendAll ({ at_once: atOnce, grades }) {
  let next = 0
  const lane = async () => {
    while (next < grades.length) await send(grades[next++])
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
}

async function begin () {
  await lti.deploy({ port: wish.port, silent: true })
  for (const [number, url] of wish.urls.entries()) {
    await lti.registerPlatform({
      url,
      name: `LMS ${number}`,
      clientId: `client-${number}`,
      authenticationEndpoint: `${url}/auth`,
      accesstokenEndpoint: `${url}/token`,
      authConfig: { method: 'JWK_SET', key: `${url}/keys` }
    })
  }
  console.log('ready')
  for await (const line of readline.createInterface({ input: process.stdin })) {
    await sendAll(JSON.parse(line))
    console.log('done')
  }
  process.exit(0)
}

begin().catch(error => {
  console.error(error)
  process.exit(1)
})
