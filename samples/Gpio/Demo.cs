using System.Globalization;
using VfioUser;
using VfioUser.Client;
using VfioUser.Protocol;

namespace Gpio;

/// <summary>The card and a guest in one process, over a real socket: the steps of a driver.</summary>
internal static class Demo
{
    private const uint Bar2 = (uint)RegionIndex.Bar2;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    public static int Run()
    {
        string path = Path.Combine(Path.GetTempPath(), $"gpio-{Environment.ProcessId}.sock");
        using GpioCard card = new();
        card.OutputsChanged += outputs => Console.WriteLine($"  card:  outputs are now {Binary(outputs)}");
        using VfioUserServer server = VfioUserServer.Bind(path);
        Task serving = server.RunAsync(card);
        Console.WriteLine($"Serving a PCI-IDIO-16 on {path}; attaching to it as a guest.");

        using VfioUserClient guest = VfioUserClient.Connect(path);
        Span<byte> id = stackalloc byte[4];
        guest.ReadRegion((uint)RegionIndex.Config, 0, id);
        Console.WriteLine($"  guest: found a device {BitConverter.ToUInt16(id):x4}:{BitConverter.ToUInt16(id[2..]):x4}, protocol version {guest.Version.Major}.{guest.Version.Minor}");

        using EventFd interrupt = new();
        guest.SetIrqEventFds((uint)IrqType.Intx, 0, interrupt.Handle);

        Console.WriteLine("  guest: switches outputs 0, 3 and 15 on");
        Write(guest, 0x0, 0x09);
        Write(guest, 0x4, 0x80);
        Expect(card.Outputs == 0x8009, "the outputs are what the guest wrote");

        Console.WriteLine("  guest: enables the interrupt");
        Read(guest, 0x2);
        Console.WriteLine("  card:  inputs 1 and 8 rise");
        card.Inputs = 0x0102;
        Expect(interrupt.Wait(Timeout) && interrupt.Take() == 1, "the interrupt came");
        Expect((Read(guest, 0x6) & 0x4) != 0, "the card says that it was its interrupt");
        ushort seen = (ushort)(Read(guest, 0x1) | Read(guest, 0x5) << 8);
        Console.WriteLine($"  guest: was interrupted, reads inputs {Binary(seen)}, and clears the interrupt");
        Expect(seen == 0x0102, "the guest reads what the card has");
        Write(guest, 0x1, 0);
        Expect(Read(guest, 0x6) == 0, "the interrupt is cleared");

        guest.Dispose();
        server.Dispose();
        Expect(serving.Wait(Timeout), "the server has stopped");
        Console.WriteLine("Done: outputs, inputs and the interrupt work.");
        return 0;
    }

    private static byte Read(VfioUserClient guest, ulong register)
    {
        Span<byte> value = stackalloc byte[1];
        guest.ReadRegion(Bar2, register, value);
        return value[0];
    }

    private static void Write(VfioUserClient guest, ulong register, byte value) => guest.WriteRegion(Bar2, register, [value]);

    private static void Expect(bool condition, string what)
    {
        if (!condition)
            throw new InvalidOperationException($"Not so: {what}.");
    }

    private static string Binary(ushort pins) => pins.ToString("B16", CultureInfo.InvariantCulture);
}
