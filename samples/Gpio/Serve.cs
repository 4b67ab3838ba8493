using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using VfioUser;

namespace Gpio;

/// <summary>Serves the card to virtual machines until Ctrl-C. Commands on standard input set its inputs.</summary>
internal static class Serve
{
    private const string Commands = "inputs VALUE | set N | clear N | show | quit";

    public static async Task<int> Run(string path, bool trustClientMemory)
    {
        using CancellationTokenSource stop = new();
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        // logs clients and errors to standard error
        using ILoggerFactory loggers = LoggerFactory.Create(logging => logging
            .AddSimpleConsole(line => line.SingleLine = true)
            .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace));
        try
        {
            using VfioUserServer server = VfioUserServer.Bind(path, new() { TrustClientMemory = trustClientMemory, RegisterMap = true, Logger = loggers.CreateLogger("gpio") });
            using GpioCard card = new();
            card.OutputsChanged += outputs => Console.WriteLine($"outputs {Binary(outputs)}");
            Task serving = server.RunAsync(card, stop.Token);

            Console.WriteLine($"The card is on {path}. QEMU 10.1 or newer attaches it with");
            Console.WriteLine($"  {server.QemuArguments}");
            Console.WriteLine("and a guest whose memory is shared: -object memory-backend-memfd,id=ram,size=512M,share=on -machine q35,memory-backend=ram");
            Console.WriteLine($"Ctrl-C ends it. Commands: {Commands}");
            // a background thread, because a read of standard input cannot be cancelled
            new Thread(() => ReadCommands(card, stop)) { IsBackground = true }.Start();
            await serving;
            return 0;
        }
        catch (IOException e)
        {
            Console.Error.WriteLine($"gpio: {e.Message}");
            return 1;
        }

        void End(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }
    }

    private static void ReadCommands(GpioCard card, CancellationTokenSource stop)
    {
        while (Console.ReadLine() is { } line)
        {
            string? answer = Execute(card, line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries), stop);
            if (answer is not null)
                Console.WriteLine(answer);
        }
    }

    private static string? Execute(GpioCard card, string[] words, CancellationTokenSource stop)
    {
        switch (words)
        {
            case []:
                return null;
            case ["inputs", string text] when TryParse(text, out ushort value):
                card.Inputs = value;
                return $"inputs  {Binary(card.Inputs)}";
            case ["set", string text] when TryParse(text, out ushort pin) && pin < 16:
                card.Inputs |= (ushort)(1 << pin);
                return $"inputs  {Binary(card.Inputs)}";
            case ["clear", string text] when TryParse(text, out ushort pin) && pin < 16:
                card.Inputs &= (ushort)~(1 << pin);
                return $"inputs  {Binary(card.Inputs)}";
            case ["show"]:
                return $"inputs  {Binary(card.Inputs)}{Environment.NewLine}outputs {Binary(card.Outputs)}";
            case ["quit"]:
                stop.Cancel();
                return null;
            default:
                return $"? {Commands}; a VALUE is a number such as 0x8005, N is 0 to 15";
        }
    }

    private static bool TryParse(string text, out ushort value) => text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
        ? ushort.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value)
        : ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    private static string Binary(ushort pins) => pins.ToString("B16", CultureInfo.InvariantCulture);
}
