using System.Buffers.Binary;
using VfioUser.Network;

namespace VfioUser.Virtio;

/// <summary>Carries out the driver's commands.</summary>
/// <remarks>On the queue's worker. Each is read once and checked. VIRTIO 1.3 5.1.6.5 "Control Virtqueue".</remarks>
internal sealed class ControlQueue(VirtioNet device)
{
    private const byte Ok = 0;
    private const byte Error = 1;
    private const int HeaderLength = 2;
    private const int AddressLength = 6;
    private const int MaxTable = 1024;
    private const int MaxLength = HeaderLength + 2 * (sizeof(uint) + MaxTable * AddressLength);

    private readonly byte[] _command = new byte[MaxLength];

    private enum CommandClass : byte
    {
        Receive,
        Mac,
        Vlan,
        Announce,
        MultiQueue,
        GuestOffloads,
    }

    /// <summary>The queue's handler.</summary>
    public bool Poll(VirtioQueue queue)
    {
        bool worked = false;
        while (queue.TryTake(out VirtioChain? chain))
        {
            worked = true;
            chain.Complete(Answer(chain));
        }
        return worked;
    }

    private int Answer(VirtioChain chain)
    {
        if (chain.Writable.Length == 0)
            return 0;
        Span<byte> command = _command.AsSpan(0, (int)Math.Min(chain.Readable.Length, MaxLength));
        bool isOk = command.Length >= HeaderLength && chain.Readable.Length <= MaxLength && chain.Readable.TryRead(0, command)
            && Execute((CommandClass)command[0], command[1], command[HeaderLength..]);
        return chain.Writable.TryWrite(0, [isOk ? Ok : Error]) ? 1 : 0;
    }

    private bool Execute(CommandClass which, byte command, ReadOnlySpan<byte> data) => which switch
    {
        CommandClass.Receive => SetMode(command, data),
        CommandClass.Mac => command switch
        {
            0 => SetTable(data),
            1 => SetAddress(data),
            _ => false,
        },
        CommandClass.Vlan => SetVlan(command, data),
        CommandClass.Announce => command == 0 && device.Has(NetFeatures.GuestAnnounce) && device.AcknowledgeAnnounce(),
        CommandClass.MultiQueue => command switch
        {
            0 => device.Has(NetFeatures.MultiQueue) && data.Length == sizeof(ushort) && device.UsePairs(BinaryPrimitives.ReadUInt16LittleEndian(data)),
            1 => device.Has(NetFeatures.Rss) && device.UseRss(data),
            2 => device.Has(NetFeatures.HashReport) && device.UseHashes(data),
            _ => false,
        },
        CommandClass.GuestOffloads => command == 0 && device.Has(NetFeatures.ControlGuestOffloads) && data.Length == sizeof(ulong)
            && device.UseOffloads((NetFeatures)BinaryPrimitives.ReadUInt64LittleEndian(data)),
        _ => false,
    };

    private bool SetMode(byte command, ReadOnlySpan<byte> data)
    {
        const byte LastOfTheFirst = 1; // the others need a feature of their own
        const byte Last = 5;
        if (command > Last || data.Length != 1 || data[0] > 1
            || !device.Has(command > LastOfTheFirst ? NetFeatures.ControlReceiveExtra : NetFeatures.ControlReceive))
        {
            return false;
        }
        device.Filter = device.Filter.WithMode((ReceiveModes)(1 << command), data[0] != 0);
        return true;
    }

    private bool SetTable(ReadOnlySpan<byte> data)
    {
        if (!device.Has(NetFeatures.ControlReceive) || TakeTable(ref data) is not { } unicast || TakeTable(ref data) is not { } multicast
            || data.Length > 0)
        {
            return false;
        }
        ReceiveFilter filter = device.Filter
            .WithMode(ReceiveModes.UnicastOverflow, unicast.Length > ReceiveFilter.MaxAddresses)
            .WithMode(ReceiveModes.MulticastOverflow, multicast.Length > ReceiveFilter.MaxAddresses);
        device.Filter = filter with
        {
            Unicast = unicast.Length > ReceiveFilter.MaxAddresses ? [] : unicast,
            Multicast = multicast.Length > ReceiveFilter.MaxAddresses ? [] : multicast,
        };
        return true;
    }

    private static ulong[]? TakeTable(ref ReadOnlySpan<byte> data)
    {
        if (data.Length < sizeof(uint))
            return null;
        uint count = BinaryPrimitives.ReadUInt32LittleEndian(data);
        if (count > (uint)(data.Length - sizeof(uint)) / AddressLength)
            return null;
        ulong[] table = new ulong[count];
        data = data[sizeof(uint)..];
        for (int i = 0; i < table.Length; i++, data = data[AddressLength..])
            table[i] = Ethernet.KeyOf(data);
        return table;
    }

    private bool SetAddress(ReadOnlySpan<byte> data)
    {
        if (!device.Has(NetFeatures.ControlMac) || data.Length != AddressLength || Ethernet.IsGroup(data))
            return false;
        device.UseAddress(Ethernet.KeyOf(data));
        return true;
    }

    private bool SetVlan(byte command, ReadOnlySpan<byte> data)
    {
        if (command > 1 || !device.Has(NetFeatures.ControlVlan) || data.Length != sizeof(ushort)
            || device.Filter.WithVlan(BinaryPrimitives.ReadUInt16LittleEndian(data), isOn: command == 0) is not { } filter)
        {
            return false;
        }
        device.Filter = filter;
        return true;
    }
}
