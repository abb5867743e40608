// uWebSockets: `build.sh` makes it. Started as `server echo|compressed|fan-out PORT`.
//
// `compressed` is an echo with its shared compressor and its shared decompressor: no connection has a window of its own.
// The others are without compression. All are without pings and time limits, which would cost it something, and with limits above the largest messages of
// any row. A fan-out is its own publish to a topic, which collects what goes to one subscriber in one turn of its loop.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "App.h"

struct PerConnection {};

int main(int argc, char **argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: server echo|compressed|fan-out PORT\n");
        return 2;
    }
    const bool fanOut = !std::strcmp(argv[1], "fan-out");
    const bool compressed = !std::strcmp(argv[1], "compressed");
    const int port = std::atoi(argv[2]);
    constexpr unsigned int MORE_THAN_ANY_ROW_NEEDS = 1024 * 1024 * 1024;

    uWS::App app;
    app.ws<PerConnection>("/*", {
        .compression = uWS::CompressOptions(
            compressed ? uWS::SHARED_COMPRESSOR | uWS::SHARED_DECOMPRESSOR : uWS::DISABLED),
        .maxPayloadLength = 32 * 1024 * 1024,
        .idleTimeout = 0,
        .maxBackpressure = MORE_THAN_ANY_ROW_NEEDS,
        .sendPingsAutomatically = false,
        .open = [fanOut](auto *ws) {
            if (fanOut) {
                ws->subscribe("all");
            }
        },
        .message = [fanOut, compressed, &app](auto *ws, std::string_view message, uWS::OpCode opCode) {
            if (fanOut) {
                app.publish("all", message, opCode, false);
            } else {
                ws->send(message, opCode, compressed);
            }
        },
    });
    app.listen("127.0.0.1", port, [](auto *listening) {
        if (!listening) {
            std::exit(1);
        }
    });
    app.run();
}
