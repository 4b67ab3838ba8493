using System.CommandLine;
using VfioUser;

namespace E1000.Cli;

/// <summary>The command line: demo and serve.</summary>
internal static class CommandLine
{
    public static RootCommand Create() => new("Intel's 82540EM network card for virtual machines, with a switch that joins them.")
    {
        Demonstrating(),
        Serving(),
    };

    private static Command Demonstrating()
    {
        Command demo = new("demo", "Serves two cards, and sends from one to the other as two guests would.");
        demo.SetAction((_, _) => Reported(Demo.RunAsync));
        return demo;
    }

    private static Command Serving()
    {
        Argument<string[]> sockets = new("SOCKET")
        {
            Description = "Path of a socket that a virtual machine connects to. A card for each, all joined by a switch.",
            Arity = ArgumentArity.OneOrMore,
        };
        Option<string?> pcap = new("--pcap") { Description = "Writes what the cards send to this file, for tcpdump and Wireshark." };
        Option<string?> tap = new("--tap") { Description = "Joins the cards with this TAP interface of the host, which is made unless it exists." };
        Option<int?> spin = new("--spin")
        {
            Description = "Microseconds for which a card polls for the next access before each sleep, for a processor each. By default it polls when that pays.",
        };
        Option<bool> trust = new("--trust-client-memory") { Description = "Map the machines' memory even if its file could shrink." };
        Command serve = new("serve", "Serves cards until Ctrl-C.") { sockets, pcap, tap, spin, trust };
        serve.SetAction((parsed, _) => Reported(() =>
            Serve.RunAsync(parsed.GetRequiredValue(sockets), parsed.GetValue(pcap), parsed.GetValue(tap),
                WithSpin(parsed.GetValue(spin), new VfioUserServerOptions
                {
                    TrustClientMemory = parsed.GetValue(trust),
                    RegisterMap = true,
                }))));
        return serve;
    }

    private static VfioUserServerOptions WithSpin(int? microseconds, VfioUserServerOptions options) =>
        microseconds is { } spin ? options with { Spin = TimeSpan.FromMicroseconds(Math.Max(0, spin)), IsSpinFixed = true } : options;

    private static async Task<int> Reported(Func<Task> run)
    {
        try
        {
            await run();
            return 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            await Console.Error.WriteLineAsync($"e1000: {e.Message}");
            return 1;
        }
    }
}
