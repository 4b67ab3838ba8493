using System.Runtime.InteropServices;

namespace VfioUser.Benchmarks;

/// <summary>What the floor's server does with what it receives.</summary>
internal enum FloorMode
{
    /// <summary>Answers each request of so many bytes with a reply of so many.</summary>
    PingPong,

    /// <summary>As <see cref="PingPong"/>, but the reply has the request's header, turned into one of a reply.</summary>
    Answer,

    /// <summary>Drops so many bytes in all, then sends one reply.</summary>
    Sink,

    /// <summary>Signals the eventfd that came with the plan for each request.</summary>
    Signal,

    /// <summary>Maps and closes the descriptor that comes with a request, replies; unmaps it at the next request, replies as long.</summary>
    Map,

    /// <summary>As <see cref="Map"/>, but only closes the descriptor.</summary>
    Take,
}

/// <summary>The first message to the floor's server: what is to come. It pauses so long before each reply of a ping-pong.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct FloorPlan(FloorMode Mode, int RequestBytes, int ReplyBytes, int Rounds, int SpinMicroseconds, int PauseNanoseconds = 0);
