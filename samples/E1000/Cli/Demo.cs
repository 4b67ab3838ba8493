using System.Net.NetworkInformation;
using System.Text;
using E1000.Device;
using E1000.Guest;
using VfioUser;
using VfioUser.Network;

namespace E1000.Cli;

/// <summary>Two cards, a switch, and two guests that send to one another, in one process, over real sockets.</summary>
internal static class Demo
{
    private static readonly PhysicalAddress Everybody = new([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);

    public static async Task RunAsync()
    {
        string[] paths = [.. Enumerable.Range(1, 2).Select(i => Path.Combine(Path.GetTempPath(), $"e1000-{Environment.ProcessId}-{i}.sock"))];
        NetworkSwitch middle = new();
        await using VfioUserHost host = new(new() { DisposeDevices = true });
        for (int i = 0; i < paths.Length; i++)
        {
            NetworkCard card = new(new() { Address = new([0x52, 0x54, 0x00, 0x12, 0x34, (byte)(i + 1)]) });
            card.Plug(middle.Connect(card));
            host.Add(card, paths[i]);
        }
        Console.WriteLine("Serving two cards, joined by a switch; attaching to them as two guests.");

        using PollingGuest first = new(paths[0]);
        using PollingGuest second = new(paths[1]);
        Console.WriteLine($"  first:  read the address {Text.Of(first.Address)} from the EEPROM");
        Console.WriteLine($"  second: read the address {Text.Of(second.Address)} from the EEPROM");
        Console.WriteLine("  first:  sends to everybody");
        Exchange(first, second, Everybody, "Is anybody there?");
        Console.WriteLine("  second: answers");
        Exchange(second, first, first.Address, "I am here.");
        Console.WriteLine("Done: frames went through both cards and the switch.");
    }

    private static void Exchange(PollingGuest from, PollingGuest to, PhysicalAddress destination, string text)
    {
        byte[] payload = new byte[46]; // a frame has no fewer
        Encoding.ASCII.GetBytes(text).CopyTo(payload, 0);
        from.Send([.. destination.GetAddressBytes(), .. from.Address.GetAddressBytes(), 0x88, 0xB5, .. payload]);
        byte[] frame = to.Receive();
        string arrived = Encoding.ASCII.GetString(frame.AsSpan(14)).TrimEnd('\0');
        if (!string.Equals(arrived, text, StringComparison.Ordinal))
            throw new InvalidOperationException($"Not so: '{text}' arrives. It is '{arrived}'.");
        Console.WriteLine($"          '{arrived}' has arrived, from {Text.Of(new PhysicalAddress(frame[6..12]))}");
    }
}
