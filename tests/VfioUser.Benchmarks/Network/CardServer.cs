using System.Globalization;
using System.Net.NetworkInformation;
using VfioUser.Network;

namespace VfioUser.Benchmarks;

/// <summary>Our cards with a switch, and the same switch for QEMU's own cards: each frame passes this process once.</summary>
internal static class CardServer
{
    public const int Cards = 2;

    public static string CardPath(string folder, int guest) => Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"card{guest}.sock"));

    public static string StreamPath(string folder) => Path.Combine(folder, "stream.sock");

    /// <param name="kind">Which cards.</param>
    /// <param name="folder">Where its sockets are.</param>
    /// <param name="spin">Microseconds for which a Command thread polls before each sleep; null for one that adapts.</param>
    /// <param name="delay">Microseconds that an interrupt for sent frames waits at least.</param>
    public static void Run(CardKind kind, string folder, int? spin, int delay)
    {
        VfioUserServerOptions options = spin is { } fixedSpin ? new() { Spin = TimeSpan.FromMicroseconds(fixedSpin), IsSpinFixed = true } : new();
        NetworkSwitch middle = new();
        for (int i = 0; i < Cards; i++)
        {
            PciDevice card = kind.Create(new PhysicalAddress([0x52, 0x54, 0x00, 0xE1, 0x00, (byte)i]), TimeSpan.FromMicroseconds(delay), middle);
            VfioUserServer server = VfioUserServer.Bind(CardPath(folder, i), options);
            _ = server.RunAsync(card);
        }
        StreamStation.Serve(StreamPath(folder), new NetworkSwitch());
        Console.WriteLine("ready");
        Console.ReadLine();
    }
}
