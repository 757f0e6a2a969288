package simulator

import (
	"time"

	"github.com/stationflow/stationflow/event"
)

// The passengers of one train on average, and what becomes of those who get
// off.
const (
	passengersMean     = 20.0
	passengersPeakMean = 50.0
	acceptedShare      = 0.9 // whose ticket is accepted
	rejectedShare      = 0.3 // of the others: whose ticket is rejected
	changingShare      = 0.1 // who change trains and do not leave the station
	reducedFlow        = 0.5 // flow while an incident lasts
	waitingMinutes     = 5
)

var (
	trainArrivals     = source{"train_arrivals", "arr-"}
	trainDepartures   = source{"train_departures", "dep-"}
	ticketValidations = source{"ticket_validations", "val-"}
	passengerFlow     = source{"passenger_flow", "flo-"}
)

// arrive has a train arrive and sets off what an arrival brings: tickets
// checked, a flow of passengers, and the departure. While an incident lasts
// the train passes through and brings nothing.
func (n *Network) arrive(c call) {
	at := c.arrival
	if c.station.troubled(at) {
		return
	}
	passengers := n.chance.poisson(n.story.crowd(at) * c.station.Traffic)
	changing := n.chance.some(passengers, changingShare)
	accepted := n.chance.some(passengers, acceptedShare)
	rejected := n.chance.some(passengers-accepted, rejectedShare)

	id := n.nextID(trainArrivals)
	n.emit(trainArrivals, id, at, c.movement(id, at, c.due, passengers))

	departure := at.Add(leastStop)
	if planned := c.due.Add(stopTime); planned.After(departure) {
		departure = planned
	}
	departure = departure.Add(ofMinutes(n.chance.exponential(1.0 / 3)))
	n.follow(departure, func(at time.Time) { n.depart(at, c, accepted+changing) })

	check := tenths(1 + 2*n.chance.Float64())
	n.follow(at.Add(ofMinutes(check)), func(at time.Time) {
		n.validate(at, c.station, id, accepted, rejected)
	})
	waiting := tenths(n.chance.exponential(waitingMinutes))
	n.follow(at.Add(ofMinutes(check+waiting)), func(at time.Time) {
		n.flow(at, c, event.PassengerFlow{
			TrainID:         id,
			WaitingTime:     waiting,
			TicketCheckTime: check,
		}, accepted, passengers-changing)
	})
}

// movement returns the arrival or departure of the call's train.
func (c *call) movement(id string, at, due time.Time, passengers int64) *event.TrainMovement {
	return &event.TrainMovement{
		ID:                 id,
		Station:            c.station.Name,
		Timestamp:          at,
		Passengers:         passengers,
		DockNumber:         c.dock,
		WagonCount:         c.wagons,
		Direction:          c.direction,
		TrainNumber:        &c.number,
		ScheduledTimestamp: &due,
	}
}

func (n *Network) depart(at time.Time, c call, passengers int64) {
	id := n.nextID(trainDepartures)
	n.emit(trainDepartures, id, at, c.movement(id, at, c.due.Add(stopTime), passengers))
}

func (n *Network) validate(at time.Time, s *station, train string, accepted, rejected int64) {
	id := n.nextID(ticketValidations)
	n.emit(ticketValidations, id, at, &event.TicketValidation{
		ID:          id,
		TrainID:     train,
		Station:     s.Name,
		Timestamp:   at,
		Validations: accepted,
		Rejected:    &rejected,
	})
}

// flow reports how many of those who want to enter and to leave got through.
func (n *Network) flow(at time.Time, c call, e event.PassengerFlow, entering, leaving int64) {
	e.ReducedFlowFactor = 1
	if c.station.troubled(at) {
		e.ReducedFlowFactor = reducedFlow
	}
	entered := n.chance.some(entering, e.ReducedFlowFactor)
	exited := n.chance.some(leaving, e.ReducedFlowFactor)
	zone := n.place(c.dock)

	e.ID = n.nextID(passengerFlow)
	e.Station, e.Timestamp = c.station.Name, at
	e.Entered, e.Exited, e.Zone = &entered, &exited, &zone
	n.emit(passengerFlow, e.ID, at, &e)
}
