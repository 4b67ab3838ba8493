using Gpio;

const string Usage = """
    A GPIO card that QEMU's guests drive with Linux's own gpio-pci-idio-16.

      gpio demo            serves the card, drives it as a guest would, shows what happens
      gpio serve SOCKET    serves the card until Ctrl-C; commands on standard input set its inputs
        --trust-client-memory  maps the client's memory even if its file could shrink
    """;

switch (args)
{
    case ["demo"]:
        return Demo.Run();
    case ["serve", string socket]:
        return await Serve.Run(socket, trustClientMemory: false);
    case ["serve", string trusting, "--trust-client-memory"]:
        return await Serve.Run(trusting, trustClientMemory: true);
    case [] or ["help" or "--help" or "-h"]:
        Console.WriteLine(Usage);
        return 0;
    default:
        Console.Error.WriteLine($"gpio: '{string.Join(' ', args)}' is not understood.");
        Console.Error.WriteLine(Usage);
        return 2;
}
