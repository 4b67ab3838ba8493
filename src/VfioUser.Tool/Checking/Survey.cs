using VfioUser.Protocol;
using VfioUser.Tool.Regions;

namespace VfioUser.Tool.Checking;

/// <summary>The server's description of its device, each part requested when the first rule needs it. One thread.</summary>
internal sealed class Survey(Subject subject)
{
    private const uint MostAsked = 64;

    private readonly Dictionary<string, object> _parts = [];

    public DeviceInfo Info => Part("its device information", session => session.Ask(Command.DeviceGetInfo, new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0)).As<DeviceInfo>());

    /// <summary>By index, with argsz for the fixed part only.</summary>
    public IReadOnlyList<RegionInfo> Regions => Part("its regions", session => (IReadOnlyList<RegionInfo>)[.. Indices(Info.RegionCount).Select(index =>
        session.Ask(Command.DeviceGetRegionInfo, new RegionInfo(RegionInfo.WireSize, 0, index, 0, 0, 0)).As<RegionInfo>())]);

    /// <summary>By index.</summary>
    public IReadOnlyList<IrqInfo> Irqs => Part("its interrupts", session => (IReadOnlyList<IrqInfo>)[.. Indices(Info.IrqCount).Select(index =>
        session.Ask(Command.DeviceGetIrqInfo, new IrqInfo(IrqInfo.WireSize, 0, index, 0)).As<IrqInfo>())]);

    /// <summary>All of it, 256 or 4096 bytes.</summary>
    public byte[] Config => Part("its configuration space", session =>
    {
        ulong size = Regions.Count > (int)RegionName.Config ? Regions[(int)RegionName.Config].Size : 0;
        if (size is < 256 or > 4096)
            throw new BrokenRuleException($"the configuration space has {size} bytes");
        // in pieces of 4 bytes, as on a bus: some servers crash on more than 8, which is for the rules to find
        byte[] config = new byte[size];
        for (int at = 0; at < config.Length; at += sizeof(uint))
            session.ReadConfig((ulong)at, sizeof(uint)).CopyTo(config, at);
        return config;
    });

    /// <summary>The number of vectors of a type, none if there is no such type.</summary>
    public uint Vectors(int irq) => irq < Irqs.Count ? Irqs[irq].Count : 0;

    /// <summary>Requests every part, while no connection is open: servers serve one client at a time.</summary>
    public void Prepare()
    {
        foreach (Action part in (ReadOnlySpan<Action>)[() => _ = Info, () => _ = Regions, () => _ = Irqs, () => _ = Config])
        {
            try
            {
                part();
            }
            catch (NotServedException)
            {
                // Part stores the failure, and throws it for every rule that needs the part
                continue;
            }
        }
    }

    private static IEnumerable<uint> Indices(uint count)
    {
        for (uint i = 0; i < Math.Min(count, MostAsked); i++)
            yield return i;
    }

    // a failure is a finding of the rule about the part, not of every rule that uses it
    private T Part<T>(string name, Func<Conversation, T> ask)
        where T : notnull
    {
        if (_parts.TryGetValue(name, out object? known))
            return known is NotServedException failed ? throw new NotServedException(failed.Message) : (T)known;
        try
        {
            using Conversation session = subject.Open();
            T part = ask(session);
            _parts.Add(name, part);
            return part;
        }
        catch (BrokenRuleException e) when (e is not ServerGoneException)
        {
            NotServedException failed = new($"the server does not give {name}: {e.Message}");
            _parts.Add(name, failed);
            throw failed;
        }
    }
}
